/** What runs: commands, those on a cluster among them, programs with their configs and listeners, and what is charged for them. */
import { z } from 'zod'
import type { OwnProgram, ProgramBuild } from '../config.js'
import { billCategorySchema, calledServiceSchema, copySchema, nodeRoleSchema } from '../paths.js'
import { name, object } from '../shape.js'

/** A command to run somewhere. `argv[0]` is looked up by the target. */
export interface Command {
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Text for standard input at the start; the stream stays open for `Running.write`. */
  readonly input?: string
}

/** A started command. */
export interface Running {
  readonly pid?: number
  /** Lines of standard output, as they come. */
  readonly lines: AsyncIterable<string>
  write(text: string): void
  /** The command and whatever it started. */
  kill(signal?: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
  /** Settles when the command has ended; never rejects. `tail` is the end of standard error and output. */
  readonly exited: Promise<{
    readonly code: number | null
    readonly signal: string | null
    readonly tail: string
  }>
}

export interface AccessOptions {
  /** Text for standard input, for example manifests for `apply -f -`. */
  readonly input?: string
  /** The command is ended after this. Default: one minute. */
  readonly timeoutMs?: number
  /** Go on when the run is interrupted: for what undoes something. */
  readonly pastAbort?: boolean
  /** Ends the command, beside what interrupts the run. */
  readonly signal?: AbortSignal
}

/** Every command fails with `CommandError`, whose tail is the end of its output. */
export interface ClusterCommands {
  /** Standard output of `kubectl <args>` on this cluster. */
  kubectl(args: readonly string[], options?: AccessOptions): Promise<string>
  /** Standard output of `helm <args>` on this cluster. */
  helm(args: readonly string[], options?: AccessOptions): Promise<string>
}

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Something that is charged for resources. */
export const componentSchema = object({
  /** Unique in its environment, for example `reference/l4-l7-l4/waypoint`, or `echo`. */
  name,
  /** Arm that it serves alone; without it the component is shared by all arms. */
  arm: name.exactOptional(),
  /** Hop of the arm's path; without it the component is a client, a server or a control plane. */
  hop: name.exactOptional(),
  category: billCategorySchema,
  /** Of a `called-service`: what it is to the functions that call it. */
  service: calledServiceSchema.exactOptional(),
  /** Set where `arm` is a copy. */
  copy: copySchema.exactOptional(),
  node: z.enum([...nodeRoleSchema.options, 'control-plane']),
  /**
   * Components with the same process are one program that several arms use under names of their own, as a node's
   * ztunnel: its usage counts once, and its traffic is not that of a bystander.
   */
  process: name.exactOptional(),
  /** What a hop runs on where claims ask for it. */
  runtime: z.literal('jvm').exactOptional(),
})
export interface Component extends z.infer<typeof componentSchema> {}

/** What a program that a mesh needs looks like, whatever the platform runs it as. */
export interface Workload {
  readonly component: Component
  /** One of this repository's images by name, or a program of the platform's own. */
  readonly program:
    | {
        readonly kind: 'image'
        readonly image: OwnProgram | 'echo' | 'loadgen'
        /** Another build than this checkout's own. */
        readonly build?: ProgramBuild
      }
    | {
        readonly kind: 'binary'
        /** What it is called: in containers it runs from an image by this name, see `programImages` of the platforms. */
        readonly name: string
        /**
         * `argv[0]` is its file on this machine, or its name where an image holds it; `{config}` stands for the path
         * of its config, `{folder}` for a folder that it may write to.
         */
        readonly argv: readonly string[]
        /** Page of its admin listener that answers 200 when it is ready; absent: whoever starts it finds out. */
        readonly readyPath?: string
      }
  /**
   * The config file's contents, given what the platform decided: where files are put and which port each listener
   * gets (0: the program chooses one and announces it on its ready line).
   */
  readonly config: (placement: Placement) => unknown
  /** Names of listeners, `admin` included. */
  readonly listeners: readonly string[]
  /** Listeners that are opened for the program in a network that it is not in; absent: it opens its own. */
  readonly sockets?: Readonly<Record<string, SocketPlace>>
  /** Files beside the config: name → contents. Those with keys in them are written for the owner's eyes only. */
  readonly files: Readonly<Record<string, string>>
}

/** Where a listening socket is opened by a process that ends then. */
export interface SocketPlace {
  readonly host: string
  /** The command that runs `argv` there, as the same process. */
  readonly enter: (argv: readonly string[]) => readonly string[]
}

export interface Placement {
  /** Address to bind. */
  readonly bindHost: string
  readonly ports: Readonly<Record<string, number>>
  /** Of listeners whose sockets it is started with. */
  readonly descriptors?: Readonly<Record<string, number>>
  /** Path of a file named in `files`, where the program will find it. */
  readonly file: (name: string) => string
}

/** A workload that is up and ready. */
export interface Deployed {
  readonly component: Component
  /** Where other components reach each listener. */
  readonly endpoints: Readonly<Record<string, Endpoint>>
}

/** A SPIFFE identity with its credentials, PEM encoded. */
export interface Identity {
  readonly spiffeId: string
  readonly certPem: string
  readonly keyPem: string
  readonly caPem: string
}
