/** To be imported before a program: gives its process the names that the environment holds. */
import { installLoopbackNamesFromEnvironment } from './loopback-names.ts';

installLoopbackNamesFromEnvironment(process.env);
