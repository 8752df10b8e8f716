// Endpoints, deadlines, errors, interceptors: what applications need of the layers below comes
// with this one import.
@_exported import TTRPC
@_exported import TTRPCClient
