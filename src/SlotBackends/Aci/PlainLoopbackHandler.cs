using Azure.Core;

namespace FuncScaler.SlotBackends.Aci;

/// <summary>
/// Reaches a stand-in for Azure on this machine without TLS: the SDK insists on https, so its addresses stay https and only the wire does
/// not. Refuses every other machine.
/// </summary>
internal sealed class PlainLoopbackHandler() : DelegatingHandler(new SocketsHttpHandler { UseProxy = false })
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var uri = request.RequestUri!;
        if (!uri.IsLoopback)
        {
            throw new HttpRequestException($"{uri.Host} is not this machine: a plain http endpoint of Resource Manager is for stand-ins only");
        }

        request.RequestUri = new UriBuilder(uri) { Scheme = Uri.UriSchemeHttp }.Uri;
        return base.SendAsync(request, cancellationToken);
    }
}

/// <summary>Signs in nowhere; what it gives is worth nothing.</summary>
internal sealed class NoCredential : TokenCredential
{
    public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) => new("none", DateTimeOffset.MaxValue);

    public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
        new(GetToken(requestContext, cancellationToken));
}
