declare module "transit-js";
