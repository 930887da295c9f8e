-- Nothing to do: AUTOINCREMENT gives no id below one that was ever there.
SELECT 1;
