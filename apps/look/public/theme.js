// Runs before the first paint, so that a chosen theme or language never flashes. A plain file: the page's content policy allows
// no inline script.
;(() => {
  const root = document.documentElement
  try {
    const theme = localStorage.getItem('yeoul.theme')
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme
    const language = localStorage.getItem('yeoul.language') || (navigator.language.startsWith('ko') ? 'ko' : 'en')
    root.lang = language
  } catch {
    // Without storage the system's theme and the browser's language apply.
  }
})()
