import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { System, temporaryDirectory } from './system.js'

const executablePath = '/usr/bin/chromium'
/** Where to keep a picture of every page, for people: `SCREENSHOTS=dir npx vitest run conformance/system/browser`. */
const screenshots = process.env.SCREENSHOTS

describe('two people in two browsers', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>
  let system: System
  let browser: Browser
  const problems: string[] = []

  beforeAll(async () => {
    if (!existsSync(executablePath)) return
    if (screenshots !== undefined) await mkdir(screenshots, { recursive: true })
    directory = await temporaryDirectory()
    system = await System.start({ directory: directory.path })
    browser = await chromium.launch({
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--no-first-run',
      ],
    })
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await system?.stop()
    await directory?.remove()
  })

  async function enter(
    name: string,
    room: string,
    locale: 'ko' | 'en',
    theme: 'light' | 'dark' = 'light',
  ): Promise<Page> {
    const context = await browser.newContext({
      locale: locale === 'ko' ? 'ko-KR' : 'en-US',
      colorScheme: theme,
      viewport: { width: 1280, height: 800 },
    })
    const page = await context.newPage()
    page.on('pageerror', (error) => problems.push(`${name}: ${error.message}`))
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(`${name}: ${message.text()}`)
    })
    await page.goto(`${system.url}/?room=${encodeURIComponent(room)}`)
    await page.getByTestId('name-input').fill(name)
    await page.getByTestId('enter').click()
    await page.getByTestId('composer').waitFor()
    return page
  }

  const say = async (page: Page, text: string) => {
    await page.getByTestId('composer').fill(text)
    await page.getByTestId('composer').press('Enter')
  }

  const texts = (page: Page) => page.getByTestId('message').allInnerTexts()

  it('chat: what one sends the other sees, once, in order; ticks, unread, search, reload, a lost connection', {
    timeout: 120_000,
  }, async (context) => {
    if (!existsSync(executablePath)) {
      if (process.env.CI) throw new Error('Chromium is missing: apt-get install chromium')
      context.skip('Chromium is not installed')
    }
    const mina = await enter('미나', 'lobby', 'ko')
    const jun = await enter('Jun', 'lobby', 'en', 'dark')

    await say(mina, '안녕하세요, 회의는 세 시에 시작합니다')
    await jun.getByTestId('message').getByText('안녕하세요, 회의는 세 시에 시작합니다').waitFor()
    await say(jun, 'Hello 미나 — <b>not bold</b> @미나')
    await mina.getByTestId('message').getByText('<b>not bold</b>').waitFor()
    expect(await mina.locator('[data-testid=message] b').count()).toBe(0)

    // Two ticks: stored in the database. Filled: read by the other.
    await mina.locator('[data-testid=message][data-user="미나"][data-status=read]').first().waitFor()
    for (const page of [mina, jun]) {
      const seqs = await page
        .getByTestId('message')
        .evaluateAll((nodes) => nodes.map((node) => Number((node as HTMLElement).dataset.seq)))
      expect(seqs).toEqual([1, 2])
    }
    if (screenshots !== undefined) {
      await mina.screenshot({ path: join(screenshots, 'chat-ko-light.png') })
      await jun.screenshot({ path: join(screenshots, 'chat-en-dark.png') })
    }

    // A word with a particle is found without it.
    await mina.getByTestId('search-open').click()
    await mina.getByTestId('search-input').fill('회의')
    await mina.getByTestId('search-hit').first().waitFor()
    expect(await mina.getByTestId('search-hit').first().textContent()).toContain('회의는')
    if (screenshots !== undefined) await mina.screenshot({ path: join(screenshots, 'search-ko.png') })

    // A connection that goes away: what is written meanwhile is sent on return, what was missed comes, nothing twice.
    await jun.context().setOffline(true)
    await say(mina, '첫째')
    await say(jun, 'written while offline')
    await say(mina, '둘째')
    await jun.context().setOffline(false)
    for (const page of [mina, jun]) {
      await page.getByTestId('message').getByText('written while offline').waitFor()
      await page.getByTestId('message').getByText('둘째').waitFor()
      await expect.poll(async () => (await texts(page)).length).toBe(5)
    }

    // History is there after a reload, too.
    await jun.reload()
    await jun.getByTestId('message').getByText('안녕하세요, 회의는 세 시에 시작합니다').waitFor()
    await expect.poll(async () => (await texts(jun)).length).toBe(5)

    // Switching the language changes the page, not the messages.
    await jun.getByTestId('lang-ko').click()
    await expect.poll(() => jun.locator('html').getAttribute('lang')).toBe('ko')
    await jun.setViewportSize({ width: 390, height: 780 })
    if (screenshots !== undefined) await jun.screenshot({ path: join(screenshots, 'chat-ko-dark-narrow.png') })
    expect(problems.filter((problem) => !/ERR_INTERNET_DISCONNECTED|WebSocket connection/.test(problem))).toEqual([])
  })

  it('console: topics, groups, lag and dead letters, live', { timeout: 60_000 }, async (context) => {
    if (!existsSync(executablePath)) context.skip('Chromium is not installed')
    const page = await (await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 900 } })).newPage()
    page.on('pageerror', (error) => problems.push(`console: ${error.message}`))
    await page.goto(`${system.url}/console`)
    await page.getByText('chat.messages').first().waitFor()
    if (screenshots !== undefined) {
      await page.screenshot({ path: join(screenshots, 'console-en-light.png') })
      await page.emulateMedia({ colorScheme: 'dark' })
      await page.screenshot({ path: join(screenshots, 'console-en-dark.png') })
    }
    expect(problems.filter((problem) => problem.startsWith('console'))).toEqual([])
  })
})
