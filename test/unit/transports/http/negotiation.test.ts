import { describe, expect, it } from 'vitest';
import { type Form, negotiate } from '../../../../src/transports/http/negotiation.js';

const everything: readonly Form[] = ['json', 'events', 'bytes'];

describe('negotiate', () => {
  it.each([
    'application/json;q=0',
    'text/html',
    'text/html, application/xml;q=0.9',
    'image/*;q=0',
    'nonsense',
    ';q=1',
    'text/event-stream;q=0',
  ])('finds nothing for %s', (accept) => {
    expect(negotiate(accept, everything)).toBeNull();
  });

  it.each<[string | undefined, Form]>([
    [undefined, 'json'],
    ['', 'json'],
    ['*/*', 'json'],
    ['application/*', 'json'],
    ['Application/JSON', 'json'],
    // Public HTTP clients that have not been told what to ask for.
    ['application/json, text/plain, */*', 'json'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8', 'bytes'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'json'],
    ['text/event-stream', 'events'],
    ['application/json, text/event-stream', 'json'],
    ['application/json;q=0.5, text/event-stream', 'events'],
    ['*/*;q=0.1, text/event-stream;q=0.2', 'events'],
    ['image/png', 'bytes'],
    ['image/*', 'bytes'],
    ['application/octet-stream', 'bytes'],
    ['text/*', 'bytes'],
    ['image/*;q=0.9, application/json;q=0.8', 'bytes'],
    ['image/*;q=0.7, application/json;q=0.8', 'json'],
    ['image/*, application/json', 'json'],
    ['audio/wav;q=x', 'bytes'],
    ['application/problem+json, */*;q=0.1', 'json'],
  ])('chooses for %s: %s', (accept, form) => {
    expect(negotiate(accept, everything)).toBe(form);
  });

  it('respects that JSON is not wanted though everything else is', () => {
    expect(negotiate('application/json;q=0, */*', everything)).toBeNull();
    expect(negotiate('application/json;q=0, */*, audio/*;q=0.1', everything)).toBe('bytes');
  });

  it('gives events only to who asks for them', () => {
    expect(negotiate('*/*', ['events'])).toBeNull();
    expect(negotiate('application/json', ['events'])).toBeNull();
    expect(negotiate('application/json, text/event-stream;q=0.1', ['events'])).toBe('events');
  });
});
