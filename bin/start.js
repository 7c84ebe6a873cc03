/** `npm start`: whatever is missing first, then `rollcall dev` in this very process and terminal. */
import { prepare } from './prepare.js';

const parent = process.ppid;
void prepare().then(() => {
  // Whoever stopped npm meanwhile wants no cluster any more.
  if (process.ppid !== parent) process.exit(1);
  process.argv = [process.argv[0], process.argv[1], 'dev', ...process.argv.slice(2)];
  return import('./rollcall.js');
});
