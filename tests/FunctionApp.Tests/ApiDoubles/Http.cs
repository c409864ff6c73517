using System.Net;
using System.Net.Http.Headers;

namespace Microsoft.Azure.Functions.Worker
{
    public enum AuthorizationLevel
    {
        Anonymous,
        User,
        Function,
        System,
        Admin,
    }

    [AttributeUsage(AttributeTargets.Parameter)]
    public sealed class HttpTriggerAttribute(AuthorizationLevel authLevel, params string[] methods) : Attribute
    {
        public AuthorizationLevel AuthLevel { get; } = authLevel;
        public string[]? Methods { get; } = methods;
        public string? Route { get; set; }
    }

    public abstract class FunctionContext
    {
        public abstract string InvocationId { get; }
    }
}

namespace Microsoft.Azure.Functions.Worker.Http
{
    public sealed class HttpHeadersCollection : HttpHeaders;

    public abstract class HttpRequestData(FunctionContext functionContext)
    {
        public FunctionContext FunctionContext { get; } = functionContext;
        public abstract Stream Body { get; }
        public abstract Uri Url { get; }
        public abstract string Method { get; }
        public abstract HttpResponseData CreateResponse();
    }

    public abstract class HttpResponseData(FunctionContext functionContext)
    {
        public FunctionContext FunctionContext { get; } = functionContext;
        public abstract HttpStatusCode StatusCode { get; set; }
        public abstract HttpHeadersCollection Headers { get; set; }
        public abstract Stream Body { get; set; }
    }

    public static class HttpRequestDataExtensions
    {
        public static HttpResponseData CreateResponse(this HttpRequestData request, HttpStatusCode statusCode)
        {
            var response = request.CreateResponse();
            response.StatusCode = statusCode;
            return response;
        }
    }
}
