/** Installs and builds what is missing: `npm run build`, and the first half of `npm start` and `npm test`. */
import { prepare } from './prepare.js';

void prepare();
