import { describe, expect, it } from 'vitest';
import { fail, parse } from './parsing.js';

const given = '[downAsync]\nrabHost = "amqp://rabbit.example.com:5672/vhost"\nrabQueue = "results"\n';

describe('what is refused of [downAsync]', () => {
  const hostSample = 'such as "amqp://rabbit.example.com:5672"';
  const wrongHost = (found: string): string =>
    `downAsync.rabHost: expected a URL ${hostSample} that begins with amqp:// or amqps:// but found ${found}`;

  it.each<[string, readonly string[]]>([
    ['rabHost = "rabbit.example.com:5672"', [wrongHost('"rabbit.example.com:5672"')]],
    ['rabHost = "http://rabbit.example.com"', [wrongHost('"http://rabbit.example.com"')]],
    ['rabHost = "amqp://"', [wrongHost('"amqp://"')]],
    ['rabHost = "amqp://host/#fragment"', [wrongHost('"amqp://host/#fragment"')]],
    ['rabHost = ["amqp://host"]', [wrongHost('an array')]],
    [
      'rabHost = "amqp://user:swordfish@host"',
      [`downAsync.rabHost: expected a URL without user and password ${hostSample}`],
    ],
    ['rabPass = ["swordfish"]', ['downAsync.rabPass: expected text but found an array']],
    ['rabPass = "sword\\u0000fish"', ['downAsync.rabPass: expected text but found a NUL in it']],
    [
      `rabQueue = "${'ü'.repeat(128)}"`,
      [`downAsync.rabQueue: expected the name of a queue, at most 255 bytes but found "${'ü'.repeat(60)}…"`],
    ],
    ['retry = 0', ['downAsync.retry: expected an integer from 1 to 100 but found 0']],
    ['waiting = 0', ['downAsync.waiting: expected an integer from 1 to 10000000 but found 0']],
    [
      'nrtDBUrl = "tasks.example.com"',
      [
        'downAsync.nrtDBUrl: expected a URL such as "http://tasks.example.com/nrt" that begins with http:// or https:// but found "tasks.example.com"',
      ],
    ],
    [
      'nrtDBUrl = "http://user:swordfish@tasks"',
      ['downAsync.nrtDBUrl: expected a URL without user and password such as "http://tasks.example.com/nrt"'],
    ],
    ['rabHost = "amqp://host"', ['downAsync.rabQueue: needed with rabHost; set it to the queue that gets the results']],
    [
      'rabHost = "amqp://host"\nrabQueue = ""',
      ['downAsync.rabQueue: needed with rabHost; set it to the queue that gets the results'],
    ],
    [
      'rabHost = "amqp://host"\nrabQueue = "q"\nrabPass = "swordfish"',
      ['downAsync.rabUser: needed with rabPass; set it to the user that the password is for'],
    ],
  ])('%j', (text, faults) => {
    const found = fail(`[downAsync]\n${text}`);
    expect(found).toEqual(faults.map((line) => `aiges.toml: ${line}`));
    expect(found.join()).not.toContain('swordfish');
  });

  it('does not say a password that lacks its quote', () => {
    const [fault = ''] = fail('[downAsync]\n  rabPass = "swordfish\n');
    expect(fault).toMatch(/^aiges\.toml:2:\d+: /);
    expect(fault).not.toContain('swordfish');
  });
});

it('warns of what has no effect without a server, and delivers nothing', () => {
  const { config, warnings } = parse(
    '[downAsync]\nrabHost = ""\nrabUser = "u"\nrabPass = "swordfish"\nrabQueue = "q"\nnrtDBUrl = "http://t"\n',
  );
  expect(config.delivery).toBeNull();
  expect(warnings).toEqual(
    ['rabUser', 'rabPass', 'rabQueue', 'nrtDBUrl'].map(
      (key) => `aiges.toml: downAsync.${key}: has no effect without rabHost`,
    ),
  );
});

it('says nothing about keys that are empty', () => {
  const { config, warnings } = parse(
    '[downAsync]\nrabHost = ""\nrabUser = ""\nrabPass = ""\nrabQueue = ""\nnrtDBUrl = ""\n',
  );
  expect(config.delivery).toBeNull();
  expect(warnings).toEqual([]);
});

it('takes a server and a queue, and supplies the rest', () => {
  const { config, warnings } = parse(given);
  expect(warnings).toEqual([]);
  expect(config.delivery).toEqual({
    url: 'amqp://rabbit.example.com:5672/vhost',
    user: null,
    password: null,
    queue: 'results',
    attempts: 3,
    waiting: 10_000,
    waitingBytes: 256 << 20,
    taskStatusUrl: null,
  });
});

it('takes everything, and numbers for text as the original did', () => {
  const { config } = parse(
    `${given}rabUser = "u"\nrabPass = 12345\nretry = "5"\nwaiting = 7\nwaitingBytes = "1MiB"\nnrtDBUrl = "https://tasks.example.com/nrt?key=k"\n`,
  );
  expect(config.delivery).toMatchObject({
    user: 'u',
    password: '12345',
    attempts: 5,
    waiting: 7,
    waitingBytes: 1 << 20,
    taskStatusUrl: 'https://tasks.example.com/nrt?key=k',
  });
});
