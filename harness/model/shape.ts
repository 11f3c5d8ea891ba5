/**
 * The words that shapes are written in, so that all of them are read-only throughout, and a field that may be missing
 * is missing, never `undefined`. Fields that a shape does not name are let through: a later version may have written them.
 */
import { z } from 'zod'

export const text = z.string()
/** Text that something is found by. */
export const name = z.string().min(1)
export const number = z.number()
export const amount = z.number().min(0)
/** Whole, and at least 0. */
export const count = z.int().min(0)
export const instant = z.iso.datetime()

export const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly()
export const record = <Value extends z.ZodType>(value: Value) => z.record(z.string(), value).readonly()
export const object = <Shape extends z.ZodRawShape>(shape: Shape) => z.object(shape).readonly()
