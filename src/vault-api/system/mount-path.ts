import { invalidRequest } from '../errors.ts';
import { isName } from '../route-path.ts';

const protectedMounts = ['audit/', 'auth/', 'cubbyhole/', 'identity/', 'sys/'];
const maximumLength = 200;

/**
 * @param path as it stood in the request, without slashes at its ends
 * @returns the path of a new mount, with trailing slash
 * @throws KeyfleetError `invalid_request` if nothing may be mounted there
 */
export function newMountPath(path: string): string {
  const mountPath = `${path}/`;
  const segments = path.split('/');
  if (protectedMounts.some((name) => mountPath.startsWith(name))) throw invalidRequest(`cannot mount "${mountPath}"`);
  if (!segments.every(isName) || path.length > maximumLength) {
    throw invalidRequest(
      `mount path must be at most ${maximumLength} characters in segments of letters, digits, "_", "-" and "."`,
    );
  }
  return mountPath;
}
