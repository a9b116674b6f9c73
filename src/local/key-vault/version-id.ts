import { randomBytes } from 'node:crypto';

/** 32 lower-case hex digits that say nothing about the order in which versions were made. */
export const newVersionId = (): string => randomBytes(16).toString('hex');
