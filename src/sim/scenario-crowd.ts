/**
 * What a scenario says about many at once, written out: files that come in numbers, holders drawn by lot, requests
 * drawn by lot. Whoever plays a scenario sees single files and single steps only.
 */
import { Draw } from './draw.ts'
import type { ScenarioFile, ScenarioStep } from './scenario.ts'
import { bad } from './scenario-fields.ts'

/** A file as written. */
export interface FileGroup {
  readonly file: ScenarioFile
  /** So many files of that size, NAME-1 and on. */
  readonly repeat?: number
  /** Each is at so many of the nodes named, drawn by lot. */
  readonly copies?: number
}

/** A step as written: `requests` is drawn by lot. */
export type WrittenStep =
  | ScenarioStep
  | (Omit<Extract<ScenarioStep, { action: 'get' }>, 'action' | 'file'> & {
      readonly action: 'requests'
      readonly count: number
      /** Files, and groups of files. */
      readonly of: readonly string[]
    })

export function writeOutFiles(groups: readonly FileGroup[], seed: number): ScenarioFile[] {
  return groups.flatMap(group => membersOf(group).map(name => placed({ ...group.file, name }, group, seed)))
}

/** @throws KithError CONFIG when more is to be asked for than there is */
export function writeOutSteps(steps: readonly WrittenStep[], groups: readonly FileGroup[], seed: number): ScenarioStep[] {
  const members = new Map(groups.map(group => [group.file.name, membersOf(group)]))
  const draw = new Draw(seed, 'requests')
  const asked = new Set<string>()
  return steps.flatMap((step): ScenarioStep[] => {
    if (step.action === 'get') return (members.get(step.file) ?? [step.file]).map(file => ({ ...step, file }))
    if (step.action !== 'requests') return [step]
    const { count, of, by, expect } = step
    const left = draw.shuffled(of.flatMap(name => members.get(name) ?? [name]).filter(name => !asked.has(`${by} ${name}`)))
    if (left.length < count)
      throw bad('step "requests"', `${count} are to be made and ${left.length} files are left that "${by}" has not been told to ask for`)
    return left.slice(0, count).map(file => {
      asked.add(`${by} ${file}`)
      return { action: 'get', file, by, expect }
    })
  })
}

function membersOf({ file, repeat }: FileGroup): string[] {
  return repeat === undefined ? [file.name] : Array.from({ length: repeat }, (_, index) => `${file.name}-${index + 1}`)
}

function placed(file: ScenarioFile, { copies }: FileGroup, seed: number): ScenarioFile {
  if (copies === undefined) return file
  return { ...file, at: new Draw(seed, `holders of ${file.name}`).shuffled(file.at).slice(0, copies) }
}
