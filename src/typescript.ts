// For `node --import aiges-ts/typescript`: lets a process run TypeScript as the loader's threads do, wherever npm has
// put the loader's own dependencies.
import { register } from 'tsx/esm/api';

register();
