import type { Language } from './settings.js'

/** What `npm start` says, in both languages. */
export interface Texts {
  loadingLog(percent: number): string
  logOpened(address: string, durability: string): string
  openingEmbedded(seconds: number): string
  openingServer(address: string): string
  databaseReady(name: string, seconds: string): string
  noTrigrams: string
  serving: string
  addresses: { chat: string; console: string; metrics: string; health: string; redis: string }
  howToStop: string
  stopping: string
  stopped: string
  trouble(where: string, message: string): string
  warning(text: string): string
  // Why it does not start, one sentence each.
  badSetting(setting: string, given: string, expected: string): string
  portTaken(setting: string, port: number): string
  portForbidden(setting: string, port: number): string
  noSuchHost(host: string): string
  directoryLocked(path: string, pid: number | string): string
  notWritable(path: string): string
  logUnreachable(address: string, reason: string): string
  databaseUnreachable(address: string, reason: string): string
  foreignDatabase(address: string): string
  other(message: string): string
}

const en: Texts = {
  loadingLog: (percent) => `loading the log … ${percent} %`,
  logOpened: (address, durability) => `log ready: ${address} (${durability})`,
  openingEmbedded: (seconds) => `starting the embedded database … ${seconds} s (messages are taken meanwhile)`,
  openingServer: (address) => `connecting to the database ${address}`,
  databaseReady: (name, seconds) => `database ready: ${name} (${seconds} s)`,
  noTrigrams:
    'search has no trigram index in this database (pg_trgm, UTF-8 locale); it reads the newest messages in steps',
  serving: 'yeoul is running',
  addresses: { chat: 'chat', console: 'console', metrics: 'metrics', health: 'health', redis: 'Redis clients' },
  howToStop: 'Ctrl-C stops it',
  stopping: 'stopping: finishing what is under way (Ctrl-C again ends at once)',
  stopped: 'stopped',
  trouble: (where, message) => `${where}: ${message} (trying again)`,
  warning: (text) => `note: ${text}`,
  badSetting: (setting, given, expected) => `${setting}=${given} cannot be used: expected ${expected}.`,
  portTaken: (setting, port) =>
    `Port ${port} is in use by another program: end that one, or set ${setting} to another port.`,
  portForbidden: (setting, port) => `Port ${port} may not be opened by this user: set ${setting} to a port above 1023.`,
  noSuchHost: (host) => `HOST=${host} is no address of this machine: use 127.0.0.1, or 0.0.0.0 for all of them.`,
  directoryLocked: (path, pid) =>
    `${path} is in use by process ${pid}: end that one, or set YEOUL_DIR to another directory.`,
  notWritable: (path) =>
    `${path} cannot be written: give this user the right to, or set YEOUL_DIR to another directory.`,
  logUnreachable: (address, reason) => `YEOUL_URL ${address} cannot be used: ${reason}.`,
  databaseUnreachable: (address, reason) => `DATABASE_URL ${address} cannot be used: ${reason}.`,
  foreignDatabase: (address) =>
    `The database ${address} belongs to another log: start with the log it was written from, or give this one an empty database.`,
  other: (message) => `yeoul could not start: ${message}`,
}

const ko: Texts = {
  loadingLog: (percent) => `로그를 읽는 중 … ${percent} %`,
  logOpened: (address, durability) => `로그 준비됨: ${address} (${durability})`,
  openingEmbedded: (seconds) => `내장 데이터베이스를 시작하는 중 … ${seconds}초 (그동안에도 메시지를 받습니다)`,
  openingServer: (address) => `데이터베이스에 연결하는 중: ${address}`,
  databaseReady: (name, seconds) => `데이터베이스 준비됨: ${name} (${seconds}초)`,
  noTrigrams: '이 데이터베이스에는 트라이그램 색인(pg_trgm, UTF-8 로캘)이 없어 최근 메시지부터 나누어 검색합니다',
  serving: '여울(yeoul) 실행 중',
  addresses: { chat: '채팅', console: '콘솔', metrics: '지표', health: '상태', redis: 'Redis 클라이언트' },
  howToStop: '끝내려면 Ctrl-C',
  stopping: '끝내는 중: 처리 중인 일을 마칩니다 (Ctrl-C를 다시 누르면 바로 끝납니다)',
  stopped: '끝났습니다',
  trouble: (where, message) => `${where}: ${message} (다시 시도합니다)`,
  warning: (text) => `참고: ${text}`,
  badSetting: (setting, given, expected) => `${setting}=${given} 값을 쓸 수 없습니다. 올바른 형식: ${expected}.`,
  portTaken: (setting, port) =>
    `포트 ${port}번을 다른 프로그램이 쓰고 있습니다. 그 프로그램을 끝내거나 ${setting} 값을 바꾸세요.`,
  portForbidden: (setting, port) =>
    `이 사용자는 포트 ${port}번을 열 수 없습니다. ${setting} 값을 1024 이상으로 바꾸세요.`,
  noSuchHost: (host) => `HOST=${host}: 이 컴퓨터의 주소가 아닙니다. 127.0.0.1 또는 0.0.0.0을 쓰세요.`,
  directoryLocked: (path, pid) =>
    `${path}: 프로세스 ${pid}번이 쓰고 있습니다. 그 프로세스를 끝내거나 YEOUL_DIR 값을 바꾸세요.`,
  notWritable: (path) => `${path}: 쓸 수 없는 디렉터리입니다. 쓰기 권한을 주거나 YEOUL_DIR 값을 바꾸세요.`,
  logUnreachable: (address, reason) => `YEOUL_URL ${address}: 쓸 수 없는 주소입니다 (${reason}).`,
  databaseUnreachable: (address, reason) => `DATABASE_URL ${address}: 쓸 수 없는 주소입니다 (${reason}).`,
  foreignDatabase: (address) =>
    `데이터베이스 ${address}: 다른 로그에서 만들어진 것입니다. 원래 로그로 시작하거나 빈 데이터베이스를 쓰세요.`,
  other: (message) => `시작하지 못했습니다: ${message}`,
}

export const TEXTS: Record<Language, Texts> = { en, ko }

/**
 * Lines of what is happening. On a terminal a step that takes long rewrites its own line; elsewhere only its end is written, so
 * that a file of the output stays readable.
 */
export class Terminal {
  readonly #out: NodeJS.WriteStream
  #open = false
  #ticking: NodeJS.Timeout | undefined

  constructor(out: NodeJS.WriteStream) {
    this.#out = out
  }

  line(text: string): void {
    this.#clear()
    this.#out.write(`${text}\n`)
  }

  /** Shows `text(seconds since now)` every second until `settled()`; once only where nothing can be rewritten. */
  step(text: (seconds: number) => string): void {
    this.settled()
    const since = Date.now()
    if (!this.#out.isTTY) {
      this.line(text(0))
      return
    }
    const show = () => this.progress(text(Math.round((Date.now() - since) / 1000)))
    show()
    this.#ticking = setInterval(show, 1_000)
    this.#ticking.unref()
  }

  /** Rewrites the line of a step under way. */
  progress(text: string): void {
    if (!this.#out.isTTY) return
    this.#clear()
    this.#out.write(text)
    this.#open = true
  }

  settled(): void {
    clearInterval(this.#ticking)
    this.#ticking = undefined
    this.#clear()
  }

  #clear(): void {
    if (this.#open) this.#out.write('\r\u001b[2K')
    this.#open = false
  }
}
