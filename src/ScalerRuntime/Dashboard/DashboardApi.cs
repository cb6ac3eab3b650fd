using System.Globalization;
using System.Text;
using System.Text.Json;
using FuncScaler.Policies;
using FuncScaler.Runtime.Service;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace FuncScaler.Runtime.Dashboard;

/// <summary>What the dashboard's page asks for, for every host that speaks HTTP.</summary>
/// <param name="feed">The figures.</param>
/// <param name="scaler">What explains decisions; null for a platform, which makes none.</param>
public sealed class DashboardApi(DashboardFeed feed, IScaler? scaler = null)
{
    /// <summary><c>GET /api/dashboard</c>: the newest snapshot; with <c>?history=true</c> the points before.</summary>
    public JsonAnswer Snapshot(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return Answer(request, () => request.Query["history"] == "true" ? feed.History() : feed.Snapshot());
    }

    /// <summary>
    /// <c>GET /api/dashboard/functions</c>: with <c>?key=KEY</c> the figures of one function, else those whose keys contain
    /// <c>search</c>, ordered by <c>order</c> (a <see cref="FunctionOrder"/>; by key where it is not given), at most <c>limit</c> of them.
    /// </summary>
    public JsonAnswer Functions(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var query = request.Query;
        var said = query["order"].ToString();
        var order = FunctionOrder.Key;
        if (said.Length > 0 && !(char.IsLetter(said[0]) && Enum.TryParse(said, ignoreCase: true, out order)))
        {
            return ScalerJsonApi.Error(StatusCode.InvalidArgument, $"order is '{RemoteWords.Clean(said)}': give {string.Join(", ", Enum.GetNames<FunctionOrder>())}");
        }

        var limit = DashboardFeed.MostFound;
        said = query["limit"].ToString();
        if (said.Length > 0 && !(int.TryParse(said, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit is > 0 and <= DashboardFeed.MostFound))
        {
            return ScalerJsonApi.Error(StatusCode.InvalidArgument, $"limit is '{RemoteWords.Clean(said)}': give 1 to {DashboardFeed.MostFound}");
        }

        var key = query["key"].ToString();
        if (key.Length > 0)
        {
            return Answer(request, () => JsonSerializer.SerializeToUtf8Bytes(feed.Find(key), DashboardFeed.Format));
        }

        return Answer(request, () => JsonSerializer.SerializeToUtf8Bytes(feed.Search(query["search"].ToString(), order, limit), DashboardFeed.Format));
    }

    /// <summary>
    /// <c>GET /api/dashboard/explain?key=KEY</c>: <c>explanation</c>, or <c>whyNot</c>. That there is nothing to explain is an answer here,
    /// as a browser writes errors into its log.
    /// </summary>
    public JsonAnswer Explain(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (scaler is null)
        {
            return Answer(request, () => JsonSerializer.SerializeToUtf8Bytes(
                new ExplainBody(null, "A platform sees what a scaler does, and not why: the scaler's own dashboard may tell."), DashboardFeed.Format));
        }

        return Answer(request, () => JsonSerializer.SerializeToUtf8Bytes(
            scaler.TryExplain(new MetaKey(request.Query["key"].ToString()), out var explanation, out var whyNot)
                ? new ExplainBody(explanation, null)
                : new ExplainBody(null, whyNot),
            DashboardFeed.Format));
    }

    /// <summary>
    /// <c>GET /api/dashboard/stream</c>, as server-sent events: <c>history</c> once, then a <c>snapshot</c> each second until the caller
    /// goes away or the host stops.
    /// </summary>
    public async Task StreamAsync(HttpContext http, CancellationToken stopping)
    {
        ArgumentNullException.ThrowIfNull(http);
        if (Refusal(http.Request) is { } refused)
        {
            await ScalerJsonEndpoints.SendAsync(http, refused).ConfigureAwait(false);
            return;
        }

        using var viewer = feed.Watch();
        if (viewer is null)
        {
            await ScalerJsonEndpoints.SendAsync(http, ScalerJsonApi.Error(
                StatusCode.ResourceExhausted, $"{DashboardFeed.MostViewers} watch already: close a page, or ask GET /api/dashboard now and then")).ConfigureAwait(false);
            return;
        }

        using var ends = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, stopping);
        http.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-store";
        try
        {
            await SendAsync(http.Response, "history", viewer.History, ends.Token).ConfigureAwait(false);
            await foreach (var snapshot in viewer.Snapshots.ReadAllAsync(ends.Token).ConfigureAwait(false))
            {
                await SendAsync(http.Response, "snapshot", snapshot, ends.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The viewer has closed the page, or the host stops: that is how a stream ends.
        }
    }

    private sealed record ExplainBody(PolicyExplanation? Explanation, string? WhyNot);

    private static JsonAnswer Answer(HttpRequest request, Func<byte[]> json) =>
        Refusal(request) ?? new JsonAnswer(StatusCodes.Status200OK, Encoding.UTF8.GetString(json()));

    /// <summary>
    /// Other sites' pages may make a browser ask, though they cannot read the answer: that would take viewers' places, and make the scaler
    /// work. Browsers say so.
    /// </summary>
    private static JsonAnswer? Refusal(HttpRequest request) =>
        request.Headers["Sec-Fetch-Site"].ToString() is "" or "same-origin" or "none"
            ? null
            : ScalerJsonApi.Error(StatusCode.PermissionDenied, "pages of other sites may not call this scaler");

    private static async Task SendAsync(HttpResponse response, string name, byte[] json, CancellationToken cancellationToken)
    {
        await response.WriteAsync($"event: {name}\ndata: ", cancellationToken).ConfigureAwait(false);
        await response.Body.WriteAsync(json, cancellationToken).ConfigureAwait(false);
        await response.WriteAsync("\n\n", cancellationToken).ConfigureAwait(false);
        await response.Body.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
