/** Files of this machine, as put and get touch them. Symbolic links are never followed. */
import type { AbortOptions } from './options.ts'

export type LocalKind = 'file' | 'directory' | 'other'

export interface LocalEntry {
  /** Relative to the walked folder, segments separated by `/`. */
  readonly path: string
  readonly kind: LocalKind
}

/** A file being written: nobody sees its name before {@link commit}. */
export interface FileSink {
  write(bytes: Uint8Array): Promise<void>
  /** Flushes and makes the file appear under its name; CONFLICT if the name is taken by then. */
  commit(): Promise<void>
  /** Removes what was written. */
  discard(): Promise<void>
}

/** A folder being filled: nobody sees its name before {@link commit}. */
export interface FolderSink {
  /** Where it is filled, and with what. */
  readonly path: string
  readonly files: LocalFiles
  /** Makes it appear under its name; CONFLICT if the name is taken by then, and nothing is left of it. */
  commit(): Promise<void>
  /** Removes what was written. */
  discard(): Promise<void>
}

/** Whatever the daemon itself keeps on disk is INVALID_PARAMS, and left out of walks as `other`. */
export interface LocalFiles {
  /** Throws INVALID_PARAMS if there is nothing or it cannot be read. */
  kindOf(path: string): Promise<LocalKind>
  exists(path: string): Promise<boolean>
  read(path: string, options: AbortOptions): AsyncIterable<Uint8Array>
  /** Everything below a folder, sorted by name, folders before what is in them. */
  walk(path: string, options: AbortOptions): AsyncIterable<LocalEntry>
  /** The last segment of a path. */
  nameOf(path: string): string
  join(folder: string, name: string): string
  /** Makes one new, empty folder; CONFLICT if it exists. */
  makeFolder(path: string): Promise<void>
  /** Begins a new folder, whole when it appears. */
  createFolder(path: string): Promise<FolderSink>
  createFile(path: string): Promise<FileSink>
  /**
   * The same files, but UNAUTHORIZED for whatever does not lie at or below one of `folders` (real paths, without links)
   * when it is opened. Undefined: no such bound.
   */
  within(folders: readonly string[] | undefined): LocalFiles
}
