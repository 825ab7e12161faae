import { Slider as SL } from 'radix-ui';

export function Slide({ value, onChange, min = 0, max = 100, step = 1, label }: { value: number; onChange(v: number): void; min?: number; max?: number; step?: number; label: string }) {
  return <SL.Root className="slider" value={[value]} min={min} max={max} step={step} onValueChange={(v) => onChange(v[0])}><SL.Track className="tr"><SL.Range className="rg" /></SL.Track><SL.Thumb className="th" aria-label={label} /></SL.Root>;
}
