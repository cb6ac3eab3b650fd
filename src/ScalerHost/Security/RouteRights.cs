using FuncScaler.Runtime.Service;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.ScalerHost.Security;

/// <summary>What a path asks of its caller.</summary>
/// <param name="Right">The right; null where anybody may call.</param>
/// <param name="KnowsScopes">Whether it keeps callers to their own functions by itself. Others are closed to callers that have some functions alone.</param>
/// <param name="IsRelease">Whether it gives an instance back.</param>
internal readonly record struct RouteRight(CallerRight? Right, bool KnowsScopes = false, bool IsRelease = false);

/// <summary>
/// The one table of paths and rights. A path that is not in it is closed by default: by GET it takes the right to read, else the right to
/// operate, and all functions.
/// </summary>
internal static class RouteRights
{
    private static readonly RouteRight Anybody = new(null, KnowsScopes: true);
    private static readonly RouteRight Read = new(CallerRight.Read);
    private static readonly RouteRight ReadOwn = new(CallerRight.Read, KnowsScopes: true);
    private static readonly RouteRight Operate = new(CallerRight.Operate);
    private static readonly RouteRight Assign = new(CallerRight.Call, KnowsScopes: true);
    private static readonly RouteRight Release = new(CallerRight.Call, KnowsScopes: true, IsRelease: true);

    // Paths are compared as routing compares them: whatever their case, and with or without a slash at their end.
    private static readonly Dictionary<string, RouteRight> Posts = new(StringComparer.OrdinalIgnoreCase)
    {
        ["/api/assign"] = Assign,
        ["/api/release"] = Release,
        [$"/{ScalerGrpc.ServiceName}/Assign"] = Assign,
        [$"/{ScalerGrpc.ServiceName}/Idle"] = Release,

        // One question, one answer. A watch holds a stream for as long as it likes, so it takes the right to call.
        ["/grpc.health.v1.Health/Check"] = Anybody,
        ["/grpc.health.v1.Health/Watch"] = Assign,
        ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"] = ReadOwn,
        ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"] = ReadOwn,
    };

    private static readonly Dictionary<string, RouteRight> Gets = new(StringComparer.OrdinalIgnoreCase)
    {
        ["/healthz"] = Anybody,

        // A page without a figure in it: it asks for a token, as a browser cannot send one with an address, and asks for figures with that.
        [""] = Anybody,
        ["/api/slots"] = ReadOwn,
    };

    public static RouteRight Of(HttpRequest request)
    {
        var isLook = HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsOptions(request.Method);
        if (isLook && ScalerJsonApi.FunctionOf(request, ScalerJsonEndpoints.ExplainPath) is not null)
        {
            // First, as it reads the path as it was sent.
            return ReadOwn;
        }

        var path = request.Path.Value?.TrimEnd('/') ?? "";
        return isLook
            ? Gets.GetValueOrDefault(path, Read)
            : HttpMethods.IsPost(request.Method) ? Posts.GetValueOrDefault(path, Operate) : Operate;
    }
}
