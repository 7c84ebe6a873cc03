/** `npm start`: whatever is missing first, then `rollcall dev` in this very process and terminal. */
import { prepare } from './prepare.js';

void prepare().then(() => {
  process.argv = [process.argv[0], process.argv[1], 'dev', ...process.argv.slice(2)];
  return import('./rollcall.js');
});
