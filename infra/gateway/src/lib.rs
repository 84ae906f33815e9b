//! A one-machine stand-in for API Gateway, Lambda and DynamoDB.
#![allow(dead_code)]
mod template;
