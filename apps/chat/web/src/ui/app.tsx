import { useEffect, useMemo, useState } from 'preact/hooks'
import { preferences } from '../preferences.js'
import { Chat } from '../state/chat.js'
import type { Socket } from '../state/connection.js'
import { http } from '../state/http.js'
import { translator } from '../text/strings.js'
import type { Settings } from './settings.js'
import { Shell } from './shell.js'
import { TextContext } from './text-context.js'
import { Welcome } from './welcome.js'

export function App() {
  const [language, setLanguage] = useState(preferences.language)
  const [theme, setTheme] = useState(preferences.theme)
  const [user, setUser] = useState(preferences.user)
  const [chat, setChat] = useState<Chat | null>(null)
  const text = useMemo(() => ({ language, t: translator(language) }), [language])

  useEffect(() => {
    if (user === null) return
    const made = new Chat({ user, open: openSocket, http, keeper: localStorage, clientId: newClientId })
    setChat(made)
    made.start()
    const room = preferences.room()
    // A phone starts with the list; where both panes fit, the room of last time is shown.
    if (room !== null && matchMedia('(min-width: 700px)').matches) made.enter(room)
    const online = () => made.retryNow()
    addEventListener('online', online)
    addEventListener('focus', online)
    return () => {
      removeEventListener('online', online)
      removeEventListener('focus', online)
      made.stop()
      setChat(null)
    }
  }, [user])

  const settings: Settings = {
    language,
    theme,
    setLanguage: (chosen) => {
      preferences.keepLanguage(chosen)
      setLanguage(chosen)
    },
    setTheme: (chosen) => {
      preferences.keepTheme(chosen)
      setTheme(chosen)
    },
  }

  return (
    <TextContext.Provider value={text}>
      {user === null ? (
        <Welcome
          settings={settings}
          onEnter={(name, room) => {
            preferences.keepRoom(room)
            preferences.keepUser(name)
            setUser(name)
          }}
        />
      ) : chat ? (
        <Shell
          chat={chat}
          settings={settings}
          onLeave={() => {
            preferences.keepUser(null)
            setUser(null)
          }}
        />
      ) : null}
    </TextContext.Provider>
  )
}

function openSocket(): Socket {
  return new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`) as unknown as Socket
}

/** 120 random bits; works on plain http too, where `crypto.randomUUID` is missing. */
function newClientId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(15)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
