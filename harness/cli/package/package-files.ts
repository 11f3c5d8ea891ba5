/** What compiled Meshbench needs beside its JavaScript: image bundles, published schemas, a Dockerfile. */
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { bundleSource, imageNames } from '../../../infra/images/bundles.js'
import { packageRoot } from '../../process/package-root.js'

/** Files that are read where they lie; the container images are built where Meshbench runs. */
const asTheyAre = [
  'reports/analysis.schema.json',
  'reports/journal.schema.json',
  'infra/supply/container-images/Dockerfile',
  'infra/meshes/kernel/l4-kernel.bpf.o',
  // Compiled where `meshbench truth` runs.
  'infra/images/bench/truth/server.c',
]

export async function addProducts(folder: string): Promise<void> {
  const images = join(folder, 'infra/images')
  await mkdir(images, { recursive: true })
  await Promise.all(
    imageNames.map(async (image) =>
      writeFile(
        join(images, `${image}.mjs`),
        await bundleSource(join(packageRoot, 'infra/images', image, 'main.ts')),
      ),
    ),
  )
  for (const file of asTheyAre) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await cp(join(packageRoot, file), join(folder, file))
  }
}
