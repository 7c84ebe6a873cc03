#!/usr/bin/env node
import('../dist/src/cli/main.js').catch((error) => {
  if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
  process.stderr.write('error: Not built yet: run `npm run build` (or `npm start`)\n');
  process.exitCode = 1;
});
