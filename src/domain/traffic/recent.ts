/** The two values of a field that were seen last, and when: enough to tell when any other than a given one was seen. */
export class Recent {
  private last: string | undefined
  private lastAt = Number.NEGATIVE_INFINITY
  private beforeAt = Number.NEGATIVE_INFINITY

  /** Notes a value; what lacks the field is a value of its own. */
  note(value: string | undefined, now: number): void {
    if (value !== this.last) {
      this.beforeAt = this.lastAt
      this.last = value
    }
    this.lastAt = now
  }

  /** When any other value than this one was last noted. */
  otherAt(value: string | undefined): number {
    return value === this.last ? this.beforeAt : this.lastAt
  }
}
