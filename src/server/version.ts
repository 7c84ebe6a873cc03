/** The program's version, as every node tells it in its status. */
export const version = '0.1.0';
