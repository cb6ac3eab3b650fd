using System.Globalization;
using System.Text.Json;
using FuncScaler.Runtime.Service;
using FuncScaler.SlotBackends;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace FuncScaler.ScalerHost;

/// <summary><c>GET /api/logs?key=KEY&amp;lines=N</c>: the last lines that a function's instances have printed.</summary>
internal static class InstanceLogs
{
    private const int Usual = 100;

    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web);

    public static void Map(WebApplication app, ISlotBackend backend) =>
        app.MapGet("/api/logs", http => ScalerJsonEndpoints.SendAsync(http, Answer(http.Request, backend)));

    private static JsonAnswer Answer(HttpRequest request, ISlotBackend backend)
    {
        if (backend is not IInstanceOutput output)
        {
            return ScalerJsonApi.Error(StatusCode.NotFound, $"the backend {backend.Name} keeps nothing of what instances print");
        }

        var (key, lines, said) = (request.Query["key"].ToString(), Usual, request.Query["lines"].ToString());
        if (key.Length == 0)
        {
            return ScalerJsonApi.Error(StatusCode.InvalidArgument, "key is missing: give the function's key, as /api/logs?key=hello");
        }

        if (said.Length > 0 && !(int.TryParse(said, NumberStyles.None, CultureInfo.InvariantCulture, out lines) && lines is > 0 and <= 1000))
        {
            return ScalerJsonApi.Error(StatusCode.InvalidArgument, $"lines is '{RemoteWords.Clean(said)}': give 1 to 1000");
        }

        return new JsonAnswer(StatusCodes.Status200OK, JsonSerializer.Serialize(output.OutputOf(new MetaKey(key), lines), Format));
    }
}
