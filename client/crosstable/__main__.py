from crosstable.cli import main

raise SystemExit(main())
