import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import { type Language, type Translate, translator } from '../text/strings.js'

export const TextContext = createContext<{ language: Language; t: Translate }>({ language: 'en', t: translator('en') })

export const useText = () => useContext(TextContext)
