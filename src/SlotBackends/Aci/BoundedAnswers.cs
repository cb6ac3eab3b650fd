using Azure.Core.Pipeline;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>
/// Reads each answer of Azure whole before anybody looks at it, and gives up one that is too long: Azure's packages read for ever.
/// </summary>
internal sealed class BoundedAnswers(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <summary>The longest answer, bytes. A group takes some 5 KB, and a page of a list some hundreds of groups.</summary>
    public const int LongestAnswer = 16 << 20;

    /// <summary>The way to Azure's public or another cloud, for Resource Manager and for signing in.</summary>
    public static HttpClientTransport Transport() => new(new BoundedAnswers(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        EnableMultipleHttp2Connections = true,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        UseCookies = false,
    }));

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        try
        {
            await response.Content.LoadIntoBufferAsync(LongestAnswer, cancellationToken).ConfigureAwait(false);
            return response;
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            response.Dispose();
            throw new HttpRequestException(HttpRequestError.ConfigurationLimitExceeded, $"the answer is longer than {LongestAnswer >> 20} MB", e);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }
}
