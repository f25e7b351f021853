/** Names of clients and libraries travel in CLIENT LIST, which is one line a client: printable, no blanks. */
export function validName(name: string): boolean {
  return /^[!-~]*$/.test(name)
}
