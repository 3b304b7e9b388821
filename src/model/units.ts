/** Units as flavoured numbers: a plain number is accepted, milliseconds are never taken for bytes. */
export type Ms = number & { readonly __unit?: 'ms' }
export type Bytes = number & { readonly __unit?: 'bytes' }
/** Bytes a second. */
export type Rate = number & { readonly __unit?: 'bytes/s' }

export const KIB = 1024
export const MIB = 1024 * KIB
export const GIB = 1024 * MIB
