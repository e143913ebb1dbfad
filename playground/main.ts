import { Playground } from './view/playground.js';

const playground = new Playground();
void playground.load();
