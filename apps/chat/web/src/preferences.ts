import { get, set, preferences as shared } from '../../../look/preferences.js'

/** What this browser keeps for the chat, beside the language and theme of all pages. */
export const preferences = {
  ...shared,
  user: () => get('yeoul.chat.user'),
  keepUser: (user: string | null) => set('yeoul.chat.user', user),
  room: () => get('yeoul.chat.room'),
  keepRoom: (room: string) => set('yeoul.chat.room', room),
  details: () => get('yeoul.chat.details') !== 'closed',
  keepDetails: (open: boolean) => set('yeoul.chat.details', open ? null : 'closed'),
  draft: (room: string) => get(`yeoul.chat.draft.${room}`) ?? '',
  keepDraft: (room: string, text: string) => set(`yeoul.chat.draft.${room}`, text === '' ? null : text),
}
