// Numbers, times and sizes as words. A value that is not known is a dash, never a zero.

export const unknown = '–';

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

const isKnown = value => value !== null && value !== undefined;

export const number = value => isKnown(value) ? whole.format(value) : unknown;

export const plural = (value, one, many = one + 's') => `${number(value)} ${value === 1 ? one : many}`;

/** A figure that changes all the time: three digits tell enough. */
export const rate = value => !isKnown(value) ? unknown : value === 0 ? '0' : value < 10 ? tenths.format(value) : whole.format(value);

export function bytes(value) {
  if (!isKnown(value)) return unknown;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 || value >= 100 ? whole.format(value) : tenths.format(value)} ${units[unit]}`;
}

export function duration(seconds) {
  if (!isKnown(seconds)) return unknown;
  if (seconds === 0) return '0 s';
  if (seconds < 9.95) return `${tenths.format(seconds)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ''}`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${plural(Math.floor(s / 86400), 'day')} ${Math.floor(s % 86400 / 3600)} h`;
}

/** Time of day, with the date where it is another day than the one of the status. */
export function clock(time, now) {
  if (!isKnown(time)) return unknown;
  const text = new Date(time).toISOString();
  const isToday = isKnown(now) && text.slice(0, 10) === new Date(now).toISOString().slice(0, 10);
  return isToday ? text.slice(11, 19) : `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

/** How long before the status was read: by the clock of the server, whatever the one here says. */
export function ago(time, now) {
  const seconds = Math.max(0, Math.round((new Date(now) - new Date(time)) / 1000));
  return seconds < 10 ? `${seconds} s ago` : `${duration(seconds)} ago`;
}

export const clockAndAge = (time, now) => isKnown(time) ? `${clock(time, now)} (${ago(time, now)})` : unknown;
