-- The newest id that was ever pruned, found at each look for new notifications.
CREATE INDEX notification_horizon_pruned_to ON notification_horizon (pruned_to);
