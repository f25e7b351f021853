import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import { type Language, type Translate, translator } from '../text/strings.js'
import { initial, type ViewState } from '../view-state.js'

export interface Page {
  language: Language
  t: Translate
  view: ViewState
  /** Changes what is on screen and the address with it. */
  go: (change: Partial<ViewState>) => void
}

export const PageContext = createContext<Page>({ language: 'en', t: translator('en'), view: initial, go: () => {} })

export const usePage = () => useContext(PageContext)
