/** A message that was delivered as often as the queue allows and never seen to, or that expired before. */
export interface DeadLetter {
  /** The sequence number that Service Bus gave it. */
  id: string;
  /** Service Bus' word for why it is here, e.g. `MaxDeliveryCountExceeded`. */
  reason: string;
  description: string;
  deliveryCount: number;
  enqueuedTime: Date;
  content: DeadLetterContent;
}

export type DeadLetterContent =
  | {
      kind: 'ours';
      /** As it was sent, cut to a few hundred characters: our messages hold nothing secret. */
      body: string;
      /** Uuid of the mount. */
      mount: string;
      /** Absent where the message is about all of a provider. */
      key: string | undefined;
      provider: string;
    }
  | {
      /** Not a message of ours. What it says stays where it is: it may be anybody's secret. */
      kind: 'foreign';
      sizeBytes: number;
      /** In hex. */
      sha256: string;
    };

/**
 * The dead letters of the distribution queue, as many of the oldest as an operator can look at in one go.
 * Every call throws KeyfleetError `unavailable` if Service Bus can't be reached or lets nobody in.
 */
export interface DeadLetters {
  /** The oldest first; `more`: there are others behind these, which show once some of these are gone. */
  list(): Promise<{ letters: readonly DeadLetter[]; more: boolean }>;
  /**
   * Sends some of them again, each as a fresh message of the session it was in, and then removes it: a crash in between
   * doubles the message, and a doubled one does no harm.
   * @param ids of letters that are ours; others are left where they are
   * @returns those that were sent; somebody else may be holding the others
   */
  replay(ids: readonly string[]): Promise<readonly string[]>;
  /** Removes some of them. @returns those that were removed; somebody else may be holding the others */
  drop(ids: readonly string[]): Promise<readonly string[]>;
}

/** No call looks further: an operator deals with the oldest first. */
export const mostDeadLetters = 256;
