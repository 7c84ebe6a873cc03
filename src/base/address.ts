/** Addresses `host:port`; IPv6 hosts stand in brackets. */
import { RollcallError } from './errors.ts';

export interface Address {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

export function isAddress(text: string): boolean {
  return read(text) !== null;
}

/** Throws `invalidArgument`. Port 0 lets the system choose and is only good for listening. */
export function parseAddress(text: string): Address {
  const address = read(text);
  if (address !== null) return address;
  throw new RollcallError('invalidArgument', `"${text.slice(0, 300)}" is not an address HOST:PORT`);
}

function read(text: string): Address | null {
  const found = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):([0-9]{1,5})$/.exec(text);
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  return host === undefined || port > 65_535 ? null : { host, port };
}

export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether the host can only mean this machine. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '::1' ||
    /^(::ffff:)?127(\.\d{1,3}){3}$/.test(name)
  );
}
