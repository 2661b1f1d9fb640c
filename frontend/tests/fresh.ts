/** Runs before each file of tests: they share a process, which takes half a second to start with a page in it, and none sees what another has left. */
import { vi } from "vitest";

vi.resetModules();
vi.unstubAllGlobals();
vi.useRealTimers();
vi.restoreAllMocks();
