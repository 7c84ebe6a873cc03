/** The newest state-machine features that this program can apply. The state holds what is in force. */
export const featureLevel = 1;
