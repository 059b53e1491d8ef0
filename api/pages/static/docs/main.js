/** @file The reference: it can be read without this script, which adds the search, the tabs and the copy buttons. */

import { addCopyButtons } from "./copying.js";
import { addTabs } from "./languages.js";
import { addSearch } from "./search.js";

addTabs();
addCopyButtons();
addSearch();
