"""What people and programs see over HTTP: pages for each role and a JSON API.

    request -> errors -> visitor (who is it?) -> page (may it? what of it may it see?) -> answer

Every page and every API operation is a row of a route table that names the roles it is for; every
query takes the visitor's `Scope`, so that nobody reads rows of others.
"""

from __future__ import annotations
