/** What bounds each table, in words: read from profiles and from the cores that each process used. */
export const BOUNDS = {}
