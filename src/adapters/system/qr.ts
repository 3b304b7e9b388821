/** QR codes as text: two modules a character, by half blocks. Light modules are drawn, as terminals with light text on a dark ground need it. */
import { correction, generate } from 'lean-qr'

/** Light modules around the code; the standard asks for four, readers of screens do with two, and a terminal has few columns. */
const MARGIN = 2

/** Text in capitals and digits makes a much smaller code than text in small letters. */
export function qrText(text: string): string {
  const code = generate(text, { minCorrectionLevel: correction.L })
  const end = code.size + MARGIN
  const lines: string[] = []
  for (let y = -MARGIN; y < end; y += 2) {
    let line = ''
    for (let x = -MARGIN; x < end; x++) line += halfBlock(!code.get(x, y), y + 1 < end && !code.get(x, y + 1))
    lines.push(line)
  }
  return lines.join('\n')
}

function halfBlock(upper: boolean, lower: boolean): string {
  if (upper && lower) return '█'
  return upper ? '▀' : lower ? '▄' : ' '
}
