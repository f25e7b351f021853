import { render } from 'preact'
import { App } from './ui/app.js'
import './style/tokens.css'
import './style/shell.css'
import './style/conversation.css'
import './style/panels.css'

render(<App />, document.getElementById('app')!)
