/** Where a layer tells people what happened. One event, one line; fields carry the particulars. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** For callers that want to hear nothing. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};
