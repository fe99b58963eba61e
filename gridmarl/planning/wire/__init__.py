"""All that owners and the coordinator may say to each other: messages, masks, the channel, who sits at its two ends."""
