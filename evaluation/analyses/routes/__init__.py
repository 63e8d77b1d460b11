"""Parts of the routing analysis: the plane of cost and quality, learned routers, cascades, pairs."""
