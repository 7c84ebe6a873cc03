/** What the programs of the simulator share: numbers on the command line, and how they end. */

/** Throws with a sentence unless the text is a whole number. */
export function whole(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`${text} is not a whole number`);
}

/** The process ends with what `main` gives, or with 2 and a sentence when it throws. */
export function run(main: () => Promise<number>): void {
  main().then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 2;
    },
  );
}
