

export function Logo({ size = 26 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" aria-hidden style={{ flex: 'none' }}>
      <rect width="20" height="20" rx="5" fill="var(--accent)" />
      <g fill="var(--on-accent)"><rect x="4" y="5" width="7.5" height="2.6" rx=".8" /><rect x="12.5" y="5" width="3.5" height="2.6" rx=".8" opacity=".55" /><rect x="4" y="8.7" width="3.5" height="2.6" rx=".8" opacity=".55" /><rect x="8.5" y="8.7" width="7.5" height="2.6" rx=".8" /><rect x="4" y="12.4" width="7.5" height="2.6" rx=".8" /><rect x="12.5" y="12.4" width="3.5" height="2.6" rx=".8" opacity=".55" /></g>
    </svg>
  );
}
